"""The costs of a variant: static costs counted on the network, and time, memory and energy measured on a device."""
