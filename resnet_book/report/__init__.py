"""What readers see: published numbers, tables, figures, the picture of all features."""
