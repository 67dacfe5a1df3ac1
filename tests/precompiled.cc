// Compiles tests' precompiled header; see CMakeLists.txt.
