"""What a trained network is like: diagnostics of its layers, its features, its mistakes."""
