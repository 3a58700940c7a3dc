"""ONNX models, read and written. Importing needs no onnx; calling does."""
