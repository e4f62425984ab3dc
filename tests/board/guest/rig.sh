#!/bin/sh
# The parts of a Raspberry Pi 4 that the kernel can simulate: 54 lines named GPIO0..GPIO53, I²C devices at 0x18 and at
# 0x40 (a PCA9685's address), and memory for the camera under the name that picamera2 looks for.
set -eu
mountpoint -q /sys/kernel/config || { modprobe configfs && mount -t configfs none /sys/kernel/config; }
modprobe gpio-simu
modprobe i2c-dev
modprobe i2c-stub chip_addr=0x18,0x40
chip=/sys/kernel/config/gpio-sim/pi
mkdir -p $chip/bank0
echo 54 >$chip/bank0/num_lines
echo pinctrl-bcm2711 >$chip/bank0/label
line=0
while [ $line -lt 54 ]; do
    mkdir $chip/bank0/line$line
    echo GPIO$line >$chip/bank0/line$line/name
    line=$((line + 1))
done
echo 1 >$chip/live
echo "/sys/devices/platform/$(cat $chip/dev_name)/$(cat $chip/bank0/chip_name)" >/run/rig-gpio
cat $chip/bank0/chip_name >/run/rig-chip
env=/etc/focusgate/board.env # an installed device is told which chip it is in this life of the board
[ ! -e $env ] || sed -i "s/^RPI_LGPIO_CHIP=.*/RPI_LGPIO_CHIP=$(sed s/gpiochip// /run/rig-chip)/" $env
[ -e /dev/dma_heap/linux,cma ] || ln -s system /dev/dma_heap/linux,cma
