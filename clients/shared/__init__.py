"""What all clients share. Each ships it as its own ``_shared``, beside the contract, which is its ``_contract``."""
