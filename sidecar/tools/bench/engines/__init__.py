"""What computes in a worker's process: this project's encoder, SpeechBrain, sherpa-onnx, torch."""
