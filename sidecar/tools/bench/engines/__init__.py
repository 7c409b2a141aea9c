"""What runs in a contender's own process: this project's encoder, SpeechBrain, sherpa-onnx, torch.

Each module has ``open_engine(config)``; it is imported in that process alone.
"""
