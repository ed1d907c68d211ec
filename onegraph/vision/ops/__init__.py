"""`torchvision.ops`: parts of networks, and boxes around objects.

Not here: what detectors pool regions with (RoIAlign and its relatives, deformable convolution, feature pyramids), as
there are no detectors in the zoo. Read next: `boxes.py`, `drop_block.py`, `misc.py`.
"""

from onegraph.vision.ops import boxes, drop_block, focal_loss, misc
from onegraph.vision.ops.boxes import (
    batched_nms,
    box_area,
    box_convert,
    box_iou,
    clip_boxes_to_image,
    generalized_box_iou,
    masks_to_boxes,
    nms,
    remove_small_boxes,
)
from onegraph.vision.ops.drop_block import DropBlock2d, DropBlock3d, drop_block2d, drop_block3d
from onegraph.vision.ops.focal_loss import sigmoid_focal_loss
from onegraph.vision.ops.misc import MLP, Conv2dNormActivation, FrozenBatchNorm2d, Permute, SqueezeExcitation
from onegraph.vision.ops.stochastic_depth import StochasticDepth, stochastic_depth

__all__ = [
    "MLP",
    "Conv2dNormActivation",
    "DropBlock2d",
    "DropBlock3d",
    "FrozenBatchNorm2d",
    "Permute",
    "SqueezeExcitation",
    "StochasticDepth",
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "drop_block2d",
    "drop_block3d",
    "generalized_box_iou",
    "masks_to_boxes",
    "nms",
    "remove_small_boxes",
    "sigmoid_focal_loss",
    "stochastic_depth",
]
