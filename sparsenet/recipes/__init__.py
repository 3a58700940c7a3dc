"""What made the bundled networks: corpus, training, study."""
