"""Waveforms to embeddings: a model on a device that has proved to compute what it should.

Here live the encoder, the runtimes (ONNX Runtime and OpenVINO for the CPU, torch for both), the
loader that chooses between them, the check against a reference embedding, and the export of a
network for the first two. Requests are not known here: nothing of ids, queues or deadlines may come
in.

Rooms: protocol, bundle, config, audio, hardware, networks, store.
Libraries: numpy, onnxruntime, openvino, torch.
"""
