"""What a score means, measured: how well a run's scores tell its own test images from others."""
