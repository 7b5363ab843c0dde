"""llama.cpp's own HTTP server on loopback: `model_server.py FILE.gguf NAME PORT`; says where it listens, ends with its stdin."""

import sys

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.model_alias = {sys.argv[2]}
parameters.port = int(sys.argv[3])
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
