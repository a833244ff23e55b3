"""Reports on recipes: preview contact sheets, statistics of draws, generated documentation."""
