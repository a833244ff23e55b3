"""Photos -> reference set: identities, reference lists, splits, the manifest, the audit."""
