#pragma once
twice
