"""Reports on recipes: contact sheets, statistics of draws, the generated documentation."""
