"""What our keys and choices are called elsewhere, for the hints in error messages."""

from __future__ import annotations

from collections.abc import Mapping

OTHER_NAMES: Mapping[str, str] = {
    # groups
    "architecture": "model arch net network encoder",
    "dataset": "data",
    "experiment": "preset",
    "loss": "criterion lossfn objective",
    "optimizer": "opt optim",
    "schedule": "scheduler lrscheduler",
    "tracker": "logger",
    # keys, by their last part
    "activation": "act nonlinearity",
    "batch_size": "bs minibatch b",
    "beta": "klweight kldweight",
    "channels": "filters",
    "code_size": "latentdim latentsize latents zdim z bottleneckdim bottlenecksize embeddingdim codedim ncomponents",
    "data_dir": "root dataroot",
    "epochs": "numepochs nepochs maxepochs e",
    "figures": "pictures plots",
    "gradient_clip": "clip gradclip clipgradnorm maxgradnorm",
    "hidden": "hiddendim hiddendims hiddensize layers",
    "hidden_sizes": "hiddendim hiddendims hiddensize layers",
    "hydra.run.dir": "output out outputdir outdir savedir logdir",
    "initialization": "init weightinit",
    "learning_rate": "lr rate stepsize",
    "limit": "subset maxsamples numsamples",
    "patience": "earlystopping",
    "precision": "amp dtype",
    "probability": "p prob noiseprob noiselevel amount",
    "seed": "randomseed manualseed",
    "size": "imagesize imgsize",
    "std": "sigma noisestd noiselevel",
    "threads": "numthreads",
    "validation_fraction": "valsplit validationsplit valfraction",
    "weight_decay": "wd",
    # choices: GROUP=CHOICE if the word means only this group's
    "architecture=denoising_conv": "dae denoisingautoencoder",
    "architecture=linear": "pca",
    "bottleneck=contractive": "cae",
    "bottleneck=gaussian": "vae variational betavae",
    "bottleneck=importance_weighted": "iwae",
    "bottleneck=plain": "ae autoencoder vanilla",
    "bottleneck=regularized": "rae",
    "bottleneck=sparse": "sae",
    "bottleneck=vector_quantized": "vqvae vq",
    "bottleneck=wasserstein": "wae mmd",
    "arrays": "npz npy numpy array tensor medmnist dsprites hdf5 h5 idx",
    "bce": "crossentropy binarycrossentropy bceloss",
    "bernoulli": "elbo nll likelihood",
    "bfloat16": "bf16 half fp16 float16",
    "constant": "none no",
    "conv": "cnn convolutional convnet",
    "cuda": "gpu nvidia",
    "fashion_mnist": "fmnist",
    "float32": "fp32",
    "fully_connected": "fc dense ae autoencoder vanilla",
    "image_folder": "folder custom own",
    "kaiming": "he",
    "l1": "mae absolute l1loss",
    "masking": "mask",
    "mlflow": "wandb",
    "mps": "apple metal",
    "mse": "l2 squared mseloss",
    "none": "null no clean",
    "occlusion": "cutout patch",
    "plain": "none no",
    "residual": "resnet",
    "salt_and_pepper": "impulse",
    "tensorboard": "tb",
    "transposed": "deconv transpose",
    "xavier": "glorot",
    # options
    "--help": "h usage",
    "--multirun": "sweep grid",
}
"""Other names of each, in lower case and without `-`, `_` and dots."""

MEANT: Mapping[str, list[str]] = {
    word: [ours for ours, others in OTHER_NAMES.items() if word in others.split()]
    for words in OTHER_NAMES.values()
    for word in words.split()
}
"""What a word of others may mean here."""
