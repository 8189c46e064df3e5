"""How a training step is fast and safe: devices, CUDA graphs, several processes, checkpoint files."""
