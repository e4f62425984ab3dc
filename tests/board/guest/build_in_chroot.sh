#!/bin/bash
# In a throw-away layer of the tree: kernel modules that Debian leaves out (CONFIG_GPIO_SIM is unset), built from its own
# source against its stock kernel, and the Python packages that Raspberry Pi OS has and Debian has not.
set -euo pipefail
kernel=$1
cd /root/rig
mkdir -p made source sim
tar -xJf /usr/src/linux-source-*.tar.xz -C source --strip-components=1 --wildcards 'linux-source-*/drivers/gpio' 'linux-source-*/kernel/irq'
cp source/drivers/gpio/*.h source/drivers/gpio/gpio-sim.c source/kernel/irq/irq_sim.c sim/
# irq_to_desc() is not exported to modules: the exported wrapper does the same
sed -i 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' sim/irq_sim.c
printf 'obj-m += gpio-simu.o\ngpio-simu-y := gpio-sim.o irq_sim.o\n' >sim/Kbuild
make -s -C "/lib/modules/$kernel/build" M="$PWD/sim" modules
strip -g sim/*.ko
cp sim/*.ko made/
cd made
PYPI=1 pip3 wheel --quiet --no-deps --no-binary lgpio lgpio==0.2.2.0 # has no wheel for this Python
pip3 wheel --quiet --no-deps rpi-lgpio==0.6 picamera2==0.3.38 PiDNG==4.0.9 piexif==1.1.3 simplejpeg==1.9.0 videodev2==0.0.4 \
    libarchive-c==5.3 tqdm OpenEXR jsonschema==4.26.0 attrs referencing rpds-py jsonschema-specifications
