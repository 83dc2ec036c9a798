"""Models: architectures, bottlenecks and losses, composed into one autoencoder."""
