"""The one-shot network of NAS-Bench-1Shot1 as its paper describes it: a module for each operation and projection."""

import torch
from torch import nn

OPERATIONS = ("maxpool3x3", "conv3x3-bn-relu", "conv1x1-bn-relu")


def conv_bn_relu(inputs, outputs, size):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs, momentum=0.997, eps=1e-5),
        nn.ReLU(),
    )


class TextbookCell(nn.Module):
    def __init__(self, blocks, inputs, channels, partial):
        super().__init__()
        self.partial, seen = partial, channels // partial
        self.projections = nn.ModuleList(conv_bn_relu(inputs, channels, 1) for _ in range(blocks + 1))
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.MaxPool2d(3, 1, 1), conv_bn_relu(seen, seen, 3), conv_bn_relu(seen, seen, 1)])
            for _ in range(blocks)
        )

    def forward(self, x, operations, inputs, output):
        """operations: (blocks, 3); inputs: for each block, the weights of its parents; output: those of the output."""
        states = []
        for number, block in enumerate(self.blocks):
            parents = [self.projections[number](x), *states]
            summed = sum(w * parent for w, parent in zip(inputs[number], parents, strict=True))
            states.append(self.mixed(block, summed, operations[number]))
        states = [self.projections[-1](x), *states]
        return torch.cat([w * state for w, state in zip(output, states, strict=True)], dim=1)

    def mixed(self, block, x, weights):
        n = x.shape[1] // self.partial
        mixed = sum(w * operation(x[:, :n]) for w, operation in zip(weights, block, strict=True))
        joined = torch.cat([mixed, x[:, n:]], dim=1)
        batch, channels, height, width = joined.shape
        grouped = joined.view(batch, self.partial, channels // self.partial, height, width)
        return grouped.transpose(1, 2).reshape(batch, channels, height, width)


class Textbook(nn.Module):
    def __init__(self, parents, channels, cells, classes, partial=1):
        super().__init__()
        self.parents, self.blocks_ = parents, len(parents) - 1
        self.reductions = (cells // 3, 2 * cells // 3)
        self.stem = conv_bn_relu(3, channels, 3)
        self.cells = nn.ModuleList()
        inputs = channels
        for number in range(cells):
            channels *= 1 + (number in self.reductions)
            self.cells.append(TextbookCell(self.blocks_, inputs, channels, partial))
            inputs = channels * (self.blocks_ + 1)
        self.post = nn.Sequential(
            nn.ReLU(), nn.Conv2d(inputs, channels, 1, bias=False), nn.BatchNorm2d(channels, affine=False)
        )
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images, theta):
        """theta: (R, K), rows in the order of the space: operations, parents of blocks that choose, output."""
        operations, rows = theta[: self.blocks_, :3], iter(theta[self.blocks_ :])
        inputs = [
            [1.0] * node if count == node else list(next(rows)[:node])
            for node, count in enumerate(self.parents[:-1], start=1)
        ]
        output = next(rows)[: self.blocks_ + 1]
        x = self.stem(images)
        for number, cell in enumerate(self.cells):
            if number in self.reductions:
                x = nn.functional.max_pool2d(x, 2, 2, 1)
            x = cell(x, operations, inputs, output)
        return self.classifier(self.post(x).mean(dim=(2, 3)))


def pairs(network, textbook):
    """(name, a parameter or buffer of the supernet or rows of it, that of the textbook) for all of the textbook's."""
    ours = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    parts = {"0": "convolution", "1": "norm"}

    def of(prefix, name):
        layer, _, kind = name.partition(".")
        return f"{prefix}.{parts[layer]}.{kind}"

    for name, tensor in [*textbook.named_parameters(), *textbook.named_buffers()]:
        if name.endswith("num_batches_tracked"):
            continue
        words = name.split(".")
        if words[0] == "stem":
            yield name, ours[of("stem", ".".join(words[1:]))], slice(None), tensor
        elif words[0] == "classifier":
            yield name, ours[name], slice(None), tensor
        elif words[0] == "post":
            target = {"1": "last", "2": "last_norm"}[words[1]]
            yield name, ours[f"{target}.{words[2]}"], slice(None), tensor
        elif words[2] == "projections":
            number, width = int(words[3]), len(tensor)
            rows = slice(number * width, (number + 1) * width)
            yield name, ours[of(f"cells.{words[1]}.projections", ".".join(words[4:]))], rows, tensor
        else:
            prefix = f"cells.{words[1]}.blocks.{words[3]}.operations.{OPERATIONS[int(words[4])]}"
            yield name, ours[of(prefix, ".".join(words[5:]))], slice(None), tensor
