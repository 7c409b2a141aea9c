"""What this machine has, and which device serves for which reason.

Here live the questions to the processor, to the NVIDIA driver and to torch about its GPUs, and the
choice between them, in a sentence for people. Nothing here computes, and no model is known.

Rooms: protocol, bundle, config.
Libraries: numpy, psutil, pynvml, torch.
"""
