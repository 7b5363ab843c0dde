"""llama.cpp's own HTTP server on loopback: `model_server.py MODEL.gguf PORT`; says where it listens, ends with its stdin."""

import sys

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.model_alias = {"tiny-made-up"}
parameters.port = int(sys.argv[2])
parameters.n_ctx = 4 * 131072
parameters.n_parallel = 4
parameters.n_gpu_layers = 0
parameters.fit_params = False
parameters.use_jinja = True
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(parameters)
print("listening on", server.listening_address, flush=True)
sys.stdin.read()
