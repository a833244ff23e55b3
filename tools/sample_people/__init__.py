"""How the bundled sample people were made, from the photos of the Face Research Lab London Set."""
