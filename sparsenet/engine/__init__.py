"""Running a network: lowering it to kernels, laying out its memory, one native call per inference."""
