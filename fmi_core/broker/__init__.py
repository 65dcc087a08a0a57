"""The rendezvous: where the ranks of a job find each other, wait for each other, and hear who is lost.

::

    server      Broker: a socket, a loop, who may connect
    jobs, job   what the broker knows: claims, values, waits, fences, notices (no input or output)
    client      BrokerClient: one rank's side
    connection  the client's socket, and why it fails
    messages    what the two say to each other
    wire        how that looks as bytes
    curve       the keys, made from the job secret

Nothing of it is imported here: a program that runs alone needs no broker, and so no ZeroMQ. The broker logs to
``fmi_core.broker``; nothing is shown unless the program asks for it.
"""

import logging

logging.getLogger("fmi_core.broker").addHandler(logging.NullHandler())
