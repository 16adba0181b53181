"""Python code from the .proto files, made afresh with Debian's protoc."""
import os
import subprocess
import sys
import tempfile

gen = tempfile.TemporaryDirectory(prefix="venus-protos-")


def generate(proto):
    subprocess.run(["protoc", "-I", proto, "-I", "/usr/share/grpc-proto", "-I", "/usr/include", f"--python_out={gen.name}",
                    f"--grpc_python_out={gen.name}", "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin",
                    "zisk_distributed_api.proto", "zisk_coordinator_api.proto", "grpc/reflection/v1/reflection.proto",
                    "grpc/reflection/v1alpha/reflection.proto", "grpc/health/v1/health.proto"], check=True)
    # The generated folder grpc/ must not hide the library of that name.
    os.rename(os.path.join(gen.name, "grpc"), os.path.join(gen.name, "wellknown"))
    for folder, _, names in os.walk(gen.name):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path) as f:
                    text = f.read()
                with open(path, "w") as f:
                    f.write(text.replace("from grpc.reflection", "from wellknown.reflection").replace("from grpc.health", "from wellknown.health"))
    sys.path.insert(0, gen.name)
