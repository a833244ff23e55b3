"""Sharing: the Hugging Face Hub, Codabench."""
