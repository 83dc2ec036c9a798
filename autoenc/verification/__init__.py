"""Claims about autoencoders, each measured over several seeds by ordinary runs, with a verdict."""
