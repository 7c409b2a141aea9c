"""The networks in torch, from waveform to embedding, exact for any mix of lengths.

Here live CAM++ and ECAPA-TDNN, their features, the frames that are valid in a padded batch, the
checkpoints' reader, each network as the CPU's runtimes take it, and the comparison with
SpeechBrain.
They compute; where weights come from, and on which device they run, is not their concern.

Rooms: protocol.
Libraries: numpy, torch.
"""
