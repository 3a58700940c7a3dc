"""Importing torch modules."""
