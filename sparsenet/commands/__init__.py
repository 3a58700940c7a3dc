"""What the commands of the command line do: one module and one public function each."""
