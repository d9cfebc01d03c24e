"""Classical models: features that somebody wrote down, and a regression that scikit-learn fits.

They are made from the same configuration as networks and fill the same run folder, but train by
their own `fit` and predict whole sessions. They import numpy, and scikit-learn only where they fit;
never torch.
"""
