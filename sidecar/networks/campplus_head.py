"""CAM++'s front-end convolution module (FCM): features as an image.

Shapes: a map is ``[batch, channels, frequency, n_frames]``, a sequence ``[batch, channels,
n_frames]``; a frame is 10 ms.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from sidecar.networks.kaldi_fbank import N_MELS
from sidecar.networks.valid_frames import ValidFrames, valid_frames, zero_behind

HEAD_CHANNELS = 32
HEAD_FREQUENCIES = N_MELS // 8


class FrontConvolutionModule(nn.Module):
    """The paper's FCM: 2-D convolutions that make local shifts in frequency matter less.

    Its strides are in frequency alone: 80 mels become 10, and every frame stays.

    forward: features ``[batch, n_frames, 80]`` and ``n_frames`` as in the network -> sequence
    ``[batch, 32 * 10, n_frames]``, zero behind an utterance's end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = conv3x3(1, HEAD_CHANNELS)
        self.bn1 = nn.BatchNorm2d(HEAD_CHANNELS)
        self.layer1 = nn.Sequential(ResidualBlock(frequency_stride=2), ResidualBlock())
        self.layer2 = nn.Sequential(ResidualBlock(frequency_stride=2), ResidualBlock())
        self.conv2 = conv3x3(HEAD_CHANNELS, HEAD_CHANNELS, frequency_stride=2)
        self.bn2 = nn.BatchNorm2d(HEAD_CHANNELS)

    def forward(self, features: Tensor, n_frames: Tensor | None) -> Tensor:
        """See the class."""
        return self.sequence(self.first_maps(features, n_frames), n_frames)

    def first_maps(self, features: Tensor, n_frames: Tensor | None) -> Tensor:
        """``[batch, n_frames, 80]`` -> ``[batch, 32, 80, n_frames]``."""
        x = features.transpose(-2, -1).unsqueeze(1)
        x = functional.relu(self.bn1(self.conv1(x)))
        return zero_behind(x, valid_frames(n_frames, x))

    def sequence(self, x: Tensor, n_frames: Tensor | None) -> Tensor:
        """The first maps -> ``[batch, 32 * 10, n_frames]``."""
        valid = valid_frames(n_frames, x)
        for block in (*self.layer1, *self.layer2):
            x = block(x, valid)
        x = zero_behind(functional.relu(self.bn2(self.conv2(x))), valid)
        return x.flatten(1, 2)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a way past them, on maps of 32 channels.

    forward: ``[batch, 32, frequency, n_frames]`` -> ``[batch, 32, frequency / stride, n_frames]``,
    both zero behind an utterance's end.
    """

    def __init__(self, frequency_stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(HEAD_CHANNELS, HEAD_CHANNELS, frequency_stride)
        self.bn1 = nn.BatchNorm2d(HEAD_CHANNELS)
        self.conv2 = conv3x3(HEAD_CHANNELS, HEAD_CHANNELS)
        self.bn2 = nn.BatchNorm2d(HEAD_CHANNELS)
        self.shortcut = nn.Sequential()  # the identity
        if frequency_stride != 1:
            stride = (frequency_stride, 1)
            self.shortcut.append(nn.Conv2d(HEAD_CHANNELS, HEAD_CHANNELS, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(HEAD_CHANNELS))

    def forward(self, x: Tensor, valid: ValidFrames | None) -> Tensor:
        """See the class."""
        y = zero_behind(functional.relu(self.bn1(self.conv1(x))), valid)
        y = self.bn2(self.conv2(y))
        return zero_behind(functional.relu(y + self.shortcut(x)), valid)


def conv3x3(in_channels: int, out_channels: int, frequency_stride: int = 1) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the number of frames; zero padding."""
    stride = (frequency_stride, 1)
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
