"""The offline brain's understanding of Portuguese, English and Spanish: pure Python, no network, no Django.

`understanding.understand` is the way in. Weights in `weights/` are written by `make train` (`training/`), from the
labelled files of tests/evals and from the phrases of `training/phrases`; at run time numpy alone scores them.
"""
