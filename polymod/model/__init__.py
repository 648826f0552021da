"""The records of the contract, split by the verbs that need them.

Import from the parts (`polymod.model.files` and so on) where start-up time
matters, or everything public from `polymod` itself.
"""
