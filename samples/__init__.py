"""The bundled sample people: composite photos of people who do not exist, and the script that made them."""
