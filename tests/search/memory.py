"""What a forward pass keeps for its backward pass."""

import torch


def bytes_kept(forward):
    """Memory that autograd holds between forward and backward, parameters included; every storage counts once."""
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # an output that is kept as it is would keep its own graph alive for ever

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = forward()
    assert output.requires_grad  # and it is there until here, so no storage was freed and counted again
    return sum(kept.values())
