"""Trained models behind HTTP: the REST contract of TensorFlow Serving, and a page for people.

contract      what a request means and what an answer looks like
worker        a thread for each model, which answers together what waits
application   paths, methods, limits and errors (ASGI)
page          the page at /
server        the socket, signals, and the end
"""
