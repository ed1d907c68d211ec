"""Models people know, by name, each built from its paper: what `onegraph train NETWORK` can train.

    from onegraph import zoo
    model = zoo.resnet50()                            # first values as in the paper
    model = zoo.resnet50(weights="IMAGENET1K_V2")     # published weights
    zoo.NETWORKS                                      # all of them
    zoo.replace_head(model, num_classes=5)            # fine-tuning: `finetune.py`

Read next: `registry.py`, which says how to add one; `README.md`, which lists the files.
"""

from onegraph.zoo.finetune import freeze, head_of, parameter_groups, replace_head, stages, unfreeze
from onegraph.zoo.gpt import GPT, gpt, gpt2
from onegraph.zoo.lenet import LeNet5, lenet5
from onegraph.zoo.mlp import MLP, mlp
from onegraph.zoo.registry import NETWORKS, Network, names, network
from onegraph.zoo.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    resnext101_32x8d,
    resnext101_64x4d,
    wide_resnet50_2,
    wide_resnet101_2,
)
from onegraph.zoo.resnet_cifar import (
    CifarResNet,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
    resnet1202,
)
