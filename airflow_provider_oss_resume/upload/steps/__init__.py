"""The steps of a multipart upload: initiate, send, complete and verify, fix headers, leave, abort.

Each step is callable by itself: :func:`.send.send_part_range` and :func:`.complete.complete_and_verify` need only a
client and the upload's id, so that several processes can share one upload.
"""
