"""Looking inside networks: summaries, costs, and pictures of what layers find, look for and react to.

    og.summary(model, (1, 3, 224, 224))                      the table that torchinfo prints
    og.inspection.cost(model, (1, 3, 224, 224)).mult_adds    multiply-adds, as papers count them
    og.inspection.grad_cam(model, image).save("cat.png")     and other pictures, all of one kind: `Picture`

Read next: `summary.py`, `cost.py`, `picture.py`, `call.py`.
"""

from onegraph.inspection.cost import Cost, cost, count_mult_adds
from onegraph.inspection.deconvolution import deconvolution
from onegraph.inspection.features import feature_maps, filters
from onegraph.inspection.gradcam import grad_cam
from onegraph.inspection.layers import LayerRecord
from onegraph.inspection.picture import Picture
from onegraph.inspection.saliency import (
    guided_backpropagation,
    integrated_gradients,
    occlusion,
    saliency,
    smooth_grad,
)
from onegraph.inspection.statistics import ModelStatistics
from onegraph.inspection.summary import clear_cached_forward_pass, summary
from onegraph.inspection.synthesis import class_image

__all__ = [
    "Cost", "LayerRecord", "ModelStatistics", "Picture", "class_image", "clear_cached_forward_pass", "cost",
    "count_mult_adds", "deconvolution", "feature_maps", "filters", "grad_cam", "guided_backpropagation",
    "integrated_gradients", "occlusion", "saliency", "smooth_grad", "summary",
]  # fmt: skip
