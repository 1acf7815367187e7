"""Depthbench: does depth, or this change of architecture, help here, and what does it cost?"""

__version__ = "0.1.0"
