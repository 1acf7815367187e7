"""The data sets: where their files are, how they are split, and their images as batches on a device."""
