"""A network that is sparse twice, from masks to bytes: made-up data, some seconds. Needs the extra ``train``."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

import sparsenet as sn
from sparsenet.packing import masks

# data: 12 x 12 images of ten classes, each a pattern of its own in noise; the last 500 are for testing
torch.manual_seed(0)
y = torch.arange(1500) % 10
x = torch.randn(10, 1, 12, 12)[y] + 1.5 * torch.randn(1500, 1, 12, 12)

# masks that fill the kernels' formats, chosen before training: see masks.md
taps = masks.taps((32, 32, 3, 3), 1 / 3)
blocks = masks.blocks((256, 32 * 3 * 3), 0.1, channels=32)

module = torch.nn.Sequential(
    *(torch.nn.Conv2d(1, 32, 3), torch.nn.MaxPool2d(2), sn.nn.KWinners2d(32, k=8)),
    *(sn.nn.masked(torch.nn.Conv2d(32, 32, 3), taps), sn.nn.KWinners2d(32, k=8), torch.nn.Flatten()),
    *(sn.nn.masked(torch.nn.Linear(32 * 3 * 3, 256), blocks), sn.nn.KWinners(256, k=26)),
    torch.nn.Linear(256, 10),
)
EPOCHS = 6
optimiser = torch.optim.Adam(module.parameters(), lr=2e-3)
winners = sn.nn.KSchedule(module, steps=EPOCHS // 2)  # k begins with half of the units and falls to its value
for _ in range(EPOCHS):
    for batch in torch.randperm(1000).split(50):
        optimiser.zero_grad()
        cross_entropy(module(x[batch]), y[batch]).backward()
        optimiser.step()
    winners.step()

net = sn.from_torch(module.eval(), x[:2])  # float32; masks and zeros as they are
rounded = sn.quantize(net, x[:300].numpy())  # int8; calibrated on inputs that it was trained on
for name, network in {"float32": net, "int8": rounded}.items():
    scores = sn.compile(network, batch=64)(x[1000:].numpy())  # more samples than the batch are cut into parts
    print(f"{name}: {np.mean(scores.argmax(1) == y[1000:].numpy()):.1%} right of 500")
rounded.save("first.safetensors")
