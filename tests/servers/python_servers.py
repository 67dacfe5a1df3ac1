"""Servers for Python, for tests: python3 python_servers.py NAME PORT DIRECTORY."""
import pathlib
import sys

name, port, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]

if name == "tuspyserver":
    import fastapi
    import tuspyserver
    import uvicorn

    app = fastapi.FastAPI()
    app.include_router(tuspyserver.create_tus_router(prefix="files", files_dir=directory))
    uvicorn.run(app, host="127.0.0.1", port=port)

if name == "aiohttp-tus":
    import aiohttp.web
    import aiohttp_tus

    # As its own guide has it: bodies of up to 1 MiB, which is what aiohttp takes unless it is told.
    app = aiohttp_tus.setup_tus(
        aiohttp.web.Application(),
        upload_path=pathlib.Path(directory),
        upload_url="/files",
    )
    aiohttp.web.run_app(app, host="127.0.0.1", port=port)
