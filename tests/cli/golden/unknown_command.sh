atoll plna zoo:resnet50
