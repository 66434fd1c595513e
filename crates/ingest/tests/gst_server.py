"""A GStreamer RTSP server with a test picture, as a peer that is not ours.

Serves /h264, /h264-udp, /h265 and /mjpeg on a free loopback port, with Digest authentication if USER and PASSWORD are
given as arguments. Prints the port, then serves until its standard input closes.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstRtsp", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

SOURCE = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1,format=I420 ! "
STREAMS = {
    "/h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay name=pay0 pt=96",
    # Of its own: the server aborts when clients over TCP and UDP join one shared stream at the same moment.
    "/h264-udp": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay name=pay0 pt=96",
    "/h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph265pay name=pay0 pt=96",
    "/mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
}

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")

if len(sys.argv) == 3:
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth.add_digest(sys.argv[1], sys.argv[2], token)
    server.set_auth(auth)

for path, pipeline in STREAMS.items():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch("( " + SOURCE + pipeline + " )")
    factory.set_shared(True)
    if len(sys.argv) == 3:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
        permissions.add_permission_for_role("viewer", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory(path, factory)

if server.attach(None) == 0:
    sys.exit("cannot listen on loopback")
print(server.get_bound_port(), flush=True)

loop = GLib.MainLoop()


def until_the_test_ends():
    sys.stdin.read()
    loop.quit()


threading.Thread(target=until_the_test_ends, daemon=True).start()
loop.run()
