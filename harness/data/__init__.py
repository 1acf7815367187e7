"""Name to images on the device. ``info`` and ``sources`` need no torch, so that planning is quick."""
