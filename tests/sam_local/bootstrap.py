"""What the stand-in for Lambda's image runs: its runtime interface client, with the function and its layers at hand."""

import importlib
import os
import sys

site = f"/opt/python/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], "/opt/python", site]
importlib.import_module("awslambdaric.__main__").main([sys.argv[0], os.environ["_HANDLER"]])
