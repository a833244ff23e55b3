"""The bundled sample people, and real photos that can be fetched to try things on."""
